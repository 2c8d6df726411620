document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-30 17:09 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "54199bcd3be7"} }));
