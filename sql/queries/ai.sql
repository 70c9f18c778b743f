-- The gate before models (0021_ai_ledger.sql). All of it after enter or enter_job,
-- but the sweep.

-- name: ai_begin
-- Asks whether a model may be called and reserves what it may use. refused is a word of
-- err.def, with a detail and retry_after in seconds; or run and fence name the call,
-- chain says whom to ask in which order.
-- args: feature text, prompt_tokens int, max_tokens int, offers text[], switched_on bool, enforced bool, within interval, project uuid, user uuid, prompt uuid, parent uuid
SELECT refused, detail, retry_after, run, fence, provider, model, chain, max_tokens, deadline, lease_until,
       reserved_tokens, reserved_micros, over_budget
  FROM gnomon.ai_begin(:feature, :prompt_tokens::integer, :max_tokens::integer, :offers, :switched_on, :enforced, :within,
                       :project, :user, :prompt, :parent)

-- name: ai_send
-- Before every request to a provider. lost: the attempt before may have been billed.
-- args: run uuid, fence int, provider text, model text, enforced bool, lost bool
SELECT refused, detail, max_tokens, deadline, reserved_tokens, reserved_micros
  FROM gnomon.ai_send(:run, :fence, :provider, :model, :enforced, :lost)

-- name: ai_goes_on
-- Whether nothing was switched off since and the run is still ours.
-- args: run uuid, fence int
SELECT gnomon.ai_goes_on(:run, :fence) AS goes_on

-- name: ai_end
-- Settles. Tokens 0 and 0: surely nothing was billed; NULL: nobody knows, what was sent
-- is charged in full. micros NULL: at the model's price.
-- args: run uuid, fence int, outcome text, input_tokens int, output_tokens int, micros int, latency_ms int, provider text, model text, error_code text, error_message text
SELECT refused, status, input_tokens, output_tokens, cost_micros, overrun_tokens, overrun_micros, is_estimated
  FROM gnomon.ai_end(:run, :fence, :outcome, :input_tokens::integer, :output_tokens::integer, :micros, :latency_ms::integer,
                     :provider, :model, :error_code, :error_message)

-- name: sweep_ai
-- Settles the calls of all workspaces whose lease is over.
-- args:
SELECT gnomon.sweep_ai() AS swept

-- name: forget_ai
-- Drops what workspaces do not want to keep of calls any longer.
-- args:
SELECT gnomon.forget_ai()

-- name: check_ai
-- What does not add up in the books.
-- args:
SELECT slug, what FROM gnomon.check_ai()

-- name: stop_ai
-- Pulls the kill switch of all workspaces, or puts it back; true: it was so before.
-- args: stop bool, why text
SELECT gnomon.pull_ai_switch_of_all(:stop, :why) AS before

-- name: stop_ai_here
-- The same of the workspace entered.
-- args: stop bool, why text
SELECT is_stopped FROM gnomon.pull_ai_switch(:stop, :why)

-- name: ai_policy
-- The policy of the workspace entered.
-- args:
SELECT p.enabled, p.monthly_token_budget, p.monthly_run_budget, p.monthly_micros_budget, p.is_stopped, p.stopped_why,
       (SELECT string_agg(k.key, ' ' ORDER BY k.key) FROM jsonb_each(p.allowed_features) k WHERE k.value = 'true') AS allowed,
       m.spent_tokens, m.reserved_tokens, m.spent_runs, m.reserved_runs, m.spent_micros, m.reserved_micros
  FROM gnomon.ai_policy_of(gnomon.workspace()) p CROSS JOIN gnomon.ai_month() m

-- name: put_ai_policy
-- Changes the fields given, of the workspace entered.
-- args: body jsonb
SELECT refused FROM gnomon.put_ai_policy(:body)

-- name: allow_ai_features
-- Allows these features, or forbids them, in the workspace entered.
-- args: features text[], allow bool
SELECT f.key, p.refused FROM unnest(:features) w
  JOIN ai_features f ON f.key = w OR w = 'all' OR f.key LIKE replace(w, '*', '%') AND w LIKE '%*'
 CROSS JOIN LATERAL gnomon.put_ai_feature(f.key, jsonb_build_object('is_allowed', :allow)) p

-- name: put_ai_price
-- What a model costs from today on, in micros of a dollar per million tokens.
-- args: name text, input int, output int, source text
INSERT INTO ml_models AS m (name, version, config)
VALUES (:name, current_date::text, jsonb_build_object('kind', 'llm', 'inputMicros', :input, 'outputMicros', :output, 'source', :source))
ON CONFLICT (name, version) DO UPDATE SET config = m.config || excluded.config, updated_at = now()
