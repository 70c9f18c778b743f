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
