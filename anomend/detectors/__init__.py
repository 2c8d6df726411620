"""Who looks at the anatomy of photographs: one file a detector, whose line stands in `anomend.detectors.anatomy`."""
