document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-30 01:49 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "e467764f582b"} }));
