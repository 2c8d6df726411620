document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-30 09:48 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "d5b3fd915c62"} }));
