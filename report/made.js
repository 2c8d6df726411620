document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-12-01 06:38 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "b5b827e0fba9"} }));
