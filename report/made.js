document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-29 22:32 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "6c12c45bfefc"} }));
