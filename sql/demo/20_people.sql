-- Ten people in two teams. Mira Okafor owns the workspace, Jon Vale runs it, and
-- Callum Fraser only reads.
INSERT INTO demo_person (place, name, email, role, team, leads) VALUES
  (1, 'Mira Okafor', 'mira@acme.example', 'owner', 'Web', false),
  (2, 'Jon Vale', 'jon@acme.example', 'admin', 'Platform', false),
  (3, 'Priya Raman', 'priya@acme.example', 'member', 'Web', true),
  (4, 'Tomasz Zielinski', 'tomasz@acme.example', 'member', 'Web', false),
  (5, 'Elena Duarte', 'elena@acme.example', 'member', 'Web', false),
  (6, 'Sam Whitlock', 'sam@acme.example', 'member', 'Web', false),
  (7, 'Noor Haddad', 'noor@acme.example', 'member', 'Platform', true),
  (8, 'Kenji Mori', 'kenji@acme.example', 'member', 'Platform', false),
  (9, 'Ruth Adeyemi', 'ruth@acme.example', 'member', 'Platform', false),
  (10, 'Callum Fraser', 'callum@acme.example', 'viewer', NULL, false);
