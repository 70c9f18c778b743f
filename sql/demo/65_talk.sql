-- What people say about the stories, and what the half year is for: comments,
-- objectives, key results and weekly check-ins, as acts for the replay.
CREATE TEMP TABLE demo_say (title text, at double precision, who integer, words text) ON COMMIT DROP;
INSERT INTO demo_say VALUES
  ('Payment form served from our own domain', 2.2, 1, 'The provider''s frames refuse our content policy. I have asked for their list of hosts.'),
  ('Payment form served from our own domain', 4.4, 3, '@Mira Okafor any answer? **Four stories wait for this one**, stored cards among them.'),
  ('Payment form served from our own domain', 4.6, 1, E'They answered with two lists that differ:\n\n- the documented one, 6 hosts\n- the real one, 9 hosts\n\nI take the real one and have it confirmed in writing.'),
  ('Payment form served from our own domain', 8.3, 2, 'If it is not in review by Thursday we should take *Store a card* out of the sprint. @Priya Raman your call.'),
  ('Payment form served from our own domain', 8.7, 3, 'Agreed. I decide on Thursday after the stand-up.'),
  ('Retry a payment after a time-out without paying twice', 6.2, 1, 'The provider keeps its idempotency key for 24 hours only. Ours must be stored **before** the call.'),
  ('Retry a payment after a time-out without paying twice', 10.6, 5, '@mira the time-out in staging is 2 s, in production 10 s. The test should use 10.'),
  ('Ask the bank for strong authentication', 5.1, 1, 'Two of the four test banks send no challenge at all. See `challenge_required` in their sandbox.'),
  ('Apple Pay and Google Pay buttons', 8.5, 4, 'Works on both. Apple wants the domain registered again for every sub-domain, so staging stays without.'),
  ('Double click on "Pay" sends two orders', 8.8, 6, 'Leeds reports three more since Monday. @Mira Okafor this is worse than it looks.'),
  ('Double click on "Pay" sends two orders', 9.2, 1, 'The button is disabled too late. Until it is fixed the server refuses a second order with the same basket within a minute.'),
  ('Credit notes use the payment reference', 9.1, 6, 'Finance wants the provider''s reference, not ours. That is a column more in the export.'),
  ('Wallet payments need the billing address', 6.4, 3, 'Found by @tomasz.zielinski in the first test. Without it the tax engine answers `422`.'),
  ('Refund endpoint for partners', 5.2, 8, 'Partial refunds of hires need the day count. @noor do we have it on the order stream?'),
  ('Refund endpoint for partners', 5.6, 7, 'Since last sprint, as `hire.days`. It is null for sales.'),
  ('Move payment tables to their own database', 4.3, 9, 'The dump takes eleven minutes, the switch must be shorter. I try logical replication first.'),
  ('Rotate the provider''s webhook secret', 6.2, 7, 'Both secrets are valid until the end of the month, so nothing is lost when we are late.'),
  ('Step-up sign-in before refunds', 5.9, 7, 'Waiting for the decision on hardware keys for the branches.');

INSERT INTO demo_act (at, who, kind, project, story, value)
SELECT pg_temp.moment(f.first, y.at), y.who, 'comment', s.project, s.n, y.words
  FROM demo_say y JOIN demo_story s ON s.title = y.title JOIN demo_sprint f ON f.project = s.project AND f.place = 8;

-- Of the earlier stories one in four is talked about when it goes to review.
INSERT INTO demo_act (at, who, kind, project, story, value)
SELECT a.at + interval '40 minutes', d.place, 'comment', a.project, a.story,
       (ARRAY['Reads well. One question: what happens when the list is empty?', 'Tested on the branch tablet, fine in portrait and landscape.',
              'The numbers agree with last month''s report to the penny.', 'Could the hint say *why*, not only *what*?', 'Two small remarks in the review, nothing that stops it.',
              'Screen reader announces it twice on Android. Everything else is good.', 'Works. I would keep the old page for a week behind the switch.',
              'Checked with a customer in Leeds: she found it at once.'])[1 + floor(8 * pg_temp.roll('say' || s.title))::integer]
  FROM demo_act a JOIN demo_story s ON s.n = a.story
 CROSS JOIN LATERAL (SELECT p.place FROM demo_person p WHERE p.team = CASE a.project WHEN 'AC' THEN 'Web' ELSE 'Platform' END
                      ORDER BY pg_temp.roll(p.name || s.title) LIMIT 1) d
 WHERE a.kind = 'status' AND a.value = 'review' AND s.kind = 'story' AND pg_temp.roll('talk' || s.title) < 0.25;

-- Objectives begin so many days before today and last so long.
CREATE TEMP TABLE demo_objective (
  n integer PRIMARY KEY, project text, owner integer, since integer, days integer, status text, title text, description text,
  id uuid DEFAULT gnomon.uuid7()
) ON COMMIT DROP;
INSERT INTO demo_objective VALUES
  (1, 'AC', 4, 175, 91, 'done', 'Hire is extended without a phone call', 'A third of the calls to branches are about one more day. The shop should take them.'),
  (2, 'AC', 3, 66, 91, 'at_risk', 'Card payments are in our own hands', E'The hosted page costs us 1.4% of every order and loses baskets.\n\nDone when it is switched off.'),
  (3, NULL, 2, 66, 91, 'on_track', 'The shop answers within a second', 'Measured at the customer, on a three-year-old phone.'),
  (4, 'AC', 1, 66, 91, 'off_track', 'Trade customers order without calling us', 'Approval, lists and stock are there. What keeps them on the phone?'),
  (5, 'PL', 7, 45, 91, 'on_track', 'A lost data centre costs us two hours, not a day', 'Proved by drills, not by documents.');

CREATE TEMP TABLE demo_result (
  n integer PRIMARY KEY, objective integer, title text, unit text, since double precision, target double precision, weight double precision,
  reached double precision, sure integer, id uuid DEFAULT gnomon.uuid7()
) ON COMMIT DROP;
INSERT INTO demo_result VALUES   -- reached: the share of the way by now, or by the end
  (1, 1, 'Hire days extended in the shop', '%', 0, 60, 2, 1.05, 95),
  (2, 1, 'Calls about hire a week', 'calls', 240, 120, 1, 0.97, 90),
  (3, 2, 'Orders paid through our own form', '%', 0, 100, 3, 0.38, 45),
  (4, 2, 'Refused payments that end in an order', '%', 31, 55, 2, 0.52, 60),
  (5, 2, 'Errors on the payment page a day', 'errors', 42, 5, 1, 0.61, 70),
  (6, 3, 'Product page, 95th percentile', 'ms', 1850, 900, 2, 0.83, 85),
  (7, 3, 'Search, 95th percentile', 'ms', 1240, 600, 1, 0.66, 75),
  (8, 4, 'Orders by phone', '% of orders', 18, 9, 2, 0.21, 25),
  (9, 4, 'Trade accounts with more than one buyer', 'accounts', 310, 700, 1, 0.34, 30),
  (10, 5, 'Drills passed', 'drills', 0, 6, 1, 0.5, 80),
  (11, 5, 'Time to restore the order database', 'hours', 9, 2, 2, 0.57, 70);

INSERT INTO demo_act (at, who, kind, project, value)
SELECT pg_temp.moment(pg_temp.today() - since, 0.2 + 0.01 * n), owner, 'objective', coalesce(project, 'AC'), n::text FROM demo_objective
UNION ALL
SELECT least(pg_temp.moment(pg_temp.today() - since, 30.5), pg_temp.moment(pg_temp.today(), -1.4)), owner, 'objective status', coalesce(project, 'AC'), n::text
  FROM demo_objective WHERE status IN ('at_risk', 'off_track')
UNION ALL
SELECT pg_temp.moment(pg_temp.today() - since + days, 0.3), owner, 'objective status', coalesce(project, 'AC'), n::text
  FROM demo_objective WHERE status = 'done';

-- A check-in a week, up to yesterday.
INSERT INTO demo_act (at, who, kind, project, value)
SELECT c.at, o.owner, 'check in', coalesce(o.project, 'AC'),
       jsonb_build_object('result', r.n,
         'value', round((r.since + (r.target - r.since) * c.share)::numeric, CASE WHEN abs(r.target - r.since) < 15 THEN 1 ELSE 0 END),
         'confidence', greatest(5, least(100, round(75 + (r.sure - 75) * c.part + 10 * (pg_temp.roll('sure' || r.n || c.week) - 0.5))))::integer,
         'note', CASE WHEN pg_temp.roll('note' || r.n || c.week) < 0.3
                      THEN (ARRAY['Slower than planned, two people were away.', 'The change of last week shows.', 'Nothing new since the last report.',
                                  'Measured on Sunday night, so a little too good.'])[1 + floor(4 * pg_temp.roll('which' || r.n || c.week))::integer] ELSE '' END)::text
  FROM demo_result r JOIN demo_objective o ON o.n = r.objective
 CROSS JOIN LATERAL (
   SELECT w.week, pg_temp.moment(pg_temp.today() - o.since, 5 * w.week - 1.3 + 0.01 * r.n) AS at, w.week::double precision / w.weeks AS part,
          r.reached * w.week / w.weeks + CASE WHEN w.week < w.weeks THEN 0.08 * (pg_temp.roll('check' || r.n || w.week) - 0.5) ELSE 0 END AS share
     FROM (SELECT week, least(o.days, o.since - 1) / 7 AS weeks FROM generate_series(1, least(o.days, o.since - 1) / 7) week) w) c
 WHERE c.at < pg_temp.moment(pg_temp.today(), -0.1);
