document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-30 08:18 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "9c7d7d1e2abe"} }));
