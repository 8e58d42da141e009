"""Files for those who run it, as `poolgate ops` prints them: a dashboard, alerts, a unit for systemd."""
