document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-12-01 14:12 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "37d03155b73e"} }));
