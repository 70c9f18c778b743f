-- GET /health                                                       get_health
-- Whether the server and its database work: for load balancers.
-- role:    public
-- handler: system_health
-- reply:   200 Health

-- GET /ready                                                         get_ready
-- Whether requests can be served now, with the schema version in force.
-- role:    public
-- handler: system_ready
-- reply:   200 Ready

-- GET /metrics                                                     get_metrics
-- Counters and gauges of all programs, in the text format of Prometheus (0.0.4).
-- nginx answers nobody but this machine.
-- role:    public
-- handler: system_metrics
-- reply:   200
