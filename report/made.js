document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-12-01 04:02 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "23c96ea397a3"} }));
