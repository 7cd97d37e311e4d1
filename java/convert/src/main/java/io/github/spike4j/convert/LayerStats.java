package io.github.spike4j.convert;

import java.util.Map;

/** What calibration learns about a block. */
record LayerStats(Map<Site, SiteStats> sites, KvStats kv) { }
