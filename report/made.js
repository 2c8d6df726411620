document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-12-01 05:50 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "0d5442107284"} }));
