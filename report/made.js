document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-30 23:47 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "6d000db83ee7"} }));
