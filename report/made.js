document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-30 11:31 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "46da65bf67e3"} }));
