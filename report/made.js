document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-30 09:53 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "8696b0ba2d9e"} }));
