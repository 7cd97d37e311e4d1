package io.github.spike4j.convert;

import java.util.Map;

/** What calibration learns about a block. */
record LayerStats(Map<Site, SiteStats> sites, KvStats kv) {
    void transfer(StatsBytes to) {
        for (var site : Site.values()) {
            sites.get(site).transfer(to);
        }
        kv.transfer(to);
    }
}
