document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-12-01 05:15 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "f840603ace19"} }));
