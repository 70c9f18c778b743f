-- The two active sprints, told story by story. Days count working days from the
-- sprint's first morning; a story moves at the days given and nowhere else.
-- AC's sprint 42 has used 12 of its 15 days and is in trouble; PL's sprint 18 is
-- at day 7 and a little behind.
CREATE TEMP TABLE demo_now (
  project text, epic integer, title text, description text, estimate integer, priority text, assignee integer,
  added double precision,       -- NULL: planned at the start
  started double precision, review double precision, done double precision,
  due integer,                  -- the working day of the sprint it is due on
  note double precision         -- last change of its text, if any
) ON COMMIT DROP;

INSERT INTO demo_now VALUES
  ('AC', 10, 'Payment form served from our own domain', 'Fields come from the provider as frames, the page around them is ours. The heart of the sprint.', 8, 'urgent', 1, NULL, 0.3, NULL, NULL, 9, 7.4),
  ('AC', 10, 'Keep the basket when a card is refused', 'Say why, keep everything, offer another card.', 3, 'high', 3, NULL, 1.2, 3.1, 4.6, 6, NULL),
  ('AC', 10, 'Store a card for the next order', 'With consent, as a token of the provider. Depends on the form.', 3, 'high', 1, NULL, NULL, NULL, NULL, NULL, NULL),
  ('AC', 10, 'Remove a stored card', 'Gone at once, also from subscriptions and waiting hires.', 2, 'medium', 1, NULL, NULL, NULL, NULL, NULL, NULL),
  ('AC', 10, 'Apple Pay and Google Pay buttons', 'Only where the device can. Same order flow behind them.', 5, 'high', 4, NULL, 4.2, 8.3, 10.4, 11, NULL),
  ('AC', 10, 'Ask the bank for strong authentication', 'Challenge in a frame; a time-out counts as refused.', 3, 'high', 1, NULL, 3.1, NULL, NULL, 10, NULL),
  ('AC', 10, 'Exempt small amounts from authentication', 'Below 25 pounds, unless the bank objects.', 2, 'medium', 5, NULL, NULL, NULL, NULL, NULL, NULL),
  ('AC', 10, 'Translate refusal codes into sentences', 'Forty codes, nine sentences. Reviewed by support.', 2, 'medium', 6, NULL, 2.2, 5.0, 6.3, NULL, NULL),
  ('AC', 10, 'Retry a payment after a time-out without paying twice', 'The provider''s idempotency key, ours stored before the call.', 3, 'urgent', 1, NULL, 5.2, NULL, NULL, NULL, 10.6),
  ('AC', 10, 'Capture on dispatch instead of on order', 'Part deliveries capture their part. Finance agrees.', 3, 'high', 5, NULL, 6.1, NULL, NULL, NULL, 8.1),
  ('AC', 10, 'Payment log for support', 'What was asked, what was answered, no card data.', 3, 'medium', 6, NULL, 6.8, 10.2, 11.2, NULL, NULL),
  ('AC', 10, 'Switch between old and new payment page by percentage', 'Begin with branches'' own staff, then one per cent.', 2, 'high', 3, NULL, 5.4, 8.2, 9.3, NULL, NULL),
  ('AC', 9, 'Invoice shows the last four digits of the card', 'Accountants match statements by it.', 1, 'low', 4, NULL, 0.5, 1.6, 2.4, NULL, NULL),
  ('AC', 9, 'VAT receipt for guests', 'By link, for ninety days.', 2, 'medium', 4, NULL, 2.6, 5.7, 7.6, NULL, NULL),
  ('AC', 10, 'Refunds through the new provider', 'Old orders still refund through the old one.', 3, 'high', 1, NULL, NULL, NULL, NULL, 11, NULL),
  ('AC', 10, 'Test cards in the staging shop', 'One page that lists them, and a banner so that nobody ships.', 1, 'low', 6, NULL, 0.4, 1.3, 2.1, NULL, NULL),
  ('AC', 10, 'Load test of the payment form', 'Two hundred payments a minute for ten minutes against the sandbox.', 3, 'medium', 3, NULL, 10.6, NULL, NULL, NULL, NULL),
  ('AC', 10, 'Penetration test findings of the payment form', 'Placeholder for what the testers find in the second week.', 2, 'high', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  ('AC', 7, 'Payment fields announce their errors', 'Frames hide errors from screen readers unless we repeat them.', 2, 'medium', 5, NULL, 8.4, 10.5, 11.4, NULL, NULL),
  ('AC', 10, 'Choose a stored card at checkout', 'The last used one is preselected. Needs stored cards.', 3, 'high', 4, NULL, NULL, NULL, NULL, NULL, NULL),
  ('AC', 10, 'Wallet payments need the billing address', 'Found in testing: the tax engine refuses without it.', 3, 'high', 1, 5.3, NULL, NULL, NULL, NULL, NULL),
  ('AC', 4, 'Double click on "Pay" sends two orders', 'Reported by the Leeds branch. The button must be harmless the second time.', 3, 'urgent', 1, 7.2, 8.6, NULL, NULL, NULL, 11.3),
  ('AC', 9, 'Credit notes use the payment reference', 'Finance cannot match refunds without it.', 5, 'medium', 6, 8.1, NULL, NULL, NULL, NULL, NULL),
  ('PL', 9, 'Tokenise card data in transit logs', 'The proxy logs bodies on errors. They must never hold a number.', 5, 'urgent', 7, NULL, 0.4, 2.1, 3.2, NULL, NULL),
  ('PL', 3, 'Payment events on the order stream', 'Authorised, captured, refunded, refused, with the same keys as orders.', 5, 'high', 8, NULL, 0.6, 3.4, 5.3, NULL, NULL),
  ('PL', 7, 'Capacity plan for the payment switch', 'What the peak needs if every card goes through our own form.', 3, 'medium', 2, NULL, 1.2, 3.0, 4.4, NULL, NULL),
  ('PL', 5, 'Index for open invoices by customer', 'The dunning page takes eleven seconds.', 2, 'high', 9, NULL, 0.3, 1.1, 1.6, NULL, NULL),
  ('PL', 4, 'Alert when captures fall behind dispatches', 'Money we earned and did not take.', 3, 'high', 9, NULL, 2.2, 5.1, 6.4, NULL, NULL),
  ('PL', 2, 'Refund endpoint for partners', 'In part or in full, idempotent, with the reason.', 8, 'high', 8, NULL, 4.2, NULL, NULL, NULL, 6.3),
  ('PL', 1, 'Step-up sign-in before refunds', 'A fresh second factor within five minutes.', 5, 'high', 7, NULL, 3.5, NULL, NULL, 6, 6.1),
  ('PL', 9, 'Review of the payment network segment', 'With the assessor''s checklist, before the audit in spring.', 3, 'medium', 2, NULL, NULL, NULL, NULL, 12, NULL),
  ('PL', 8, 'Restore drill of the payment log', 'On the separate network, timed.', 3, 'medium', 9, NULL, NULL, NULL, NULL, NULL, NULL),
  ('PL', 6, 'Canary rules for the payment service', 'Refusal rate counts as an error.', 3, 'medium', 8, NULL, NULL, NULL, NULL, NULL, NULL),
  ('PL', 5, 'Move payment tables to their own database', 'So that access is granted to one service only.', 8, 'high', 9, NULL, 3.6, NULL, NULL, NULL, 3.9),
  ('PL', 10, 'Local stub of the payment provider', 'With all refusal codes and a slow mode.', 2, 'low', 2, NULL, 5.1, 6.2, 6.8, NULL, NULL),
  ('PL', 4, 'Dashboard for authorisation rates by bank', 'The support team wants to see a bank''s outage before the calls.', 3, 'medium', 7, NULL, NULL, NULL, NULL, NULL, NULL),
  ('PL', 9, 'Rotate the provider''s webhook secret', 'The provider announced it on day four.', 3, 'urgent', 7, 3.7, 5.6, NULL, NULL, 8, 6.7),
  ('PL', 2, 'Version the refund webhook', 'Two partners parse strictly.', 2, 'medium', NULL, 5.2, NULL, NULL, NULL, NULL, NULL);

-- Who waits for whom: the first blocks the second, since that day.
CREATE TEMP TABLE demo_wait (blocker text, blocked text, since double precision) ON COMMIT DROP;
INSERT INTO demo_wait VALUES
  ('Payment form served from our own domain', 'Store a card for the next order', 3.2),
  ('Store a card for the next order', 'Remove a stored card', 3.2),
  ('Store a card for the next order', 'Choose a stored card at checkout', 4.1),
  ('Payment form served from our own domain', 'Wallet payments need the billing address', 5.4),
  ('Ask the bank for strong authentication', 'Exempt small amounts from authentication', 6.2),
  ('Payment form served from our own domain', 'Penetration test findings of the payment form', 6.5),
  ('Move payment tables to their own database', 'Restore drill of the payment log', 4.3);

INSERT INTO demo_story (project, epic, title, description, kind, priority, estimate, assignee)
SELECT project, epic, title, description, 'now', priority, estimate, assignee FROM demo_now;
