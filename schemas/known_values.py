"""Values of request fields that servers are known to accept; some accept others as well."""

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
TIERS = ("auto", "default", "flex", "scale", "priority")
TIERS_IN_RESPONSES = ("standard", "fast")  # other names for default and priority
