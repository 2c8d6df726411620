document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-12-01 02:54 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "8c119e6aa88b"} }));
