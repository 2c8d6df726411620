document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-30 20:18 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "5f4996af2b36"} }));
