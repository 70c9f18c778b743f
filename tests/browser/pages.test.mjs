// The pages as people meet them: in a browser, in both themes, on a phone, with
// script switched off. Needs a stack with the demo: GNOMON_URL, and the demo's
// password in GNOMON_DEMO_PASSWORD or GNOMON_PASSWORD.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';

const base = process.env.GNOMON_URL;
const password = process.env.GNOMON_DEMO_PASSWORD ?? process.env.GNOMON_PASSWORD;
const mira = 'mira@acme.example';
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const skip = !base || !password ? 'GNOMON_URL and GNOMON_DEMO_PASSWORD name no stack' : false;

let browser, session, project;
const found = {}; // addresses of one insight, run and story of the demo

// A page of somebody signed in as Mira. Whatever the policy refuses or the
// console complains of is in page.complaints.
async function open(options = {}) {
  const context = await browser.newContext({ baseURL: base, storageState: session, ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on('console', m => ['error', 'warning'].includes(m.type()) && page.complaints.push(m.text()));
  page.on('pageerror', e => page.complaints.push(String(e)));
  return page;
}

async function signIn(page, email, word) {
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(word);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

// The first link in main whose address ends like this.
async function link(page, path, pattern) {
  await page.goto(path);
  const all = await page.locator('main a').evaluateAll(list => list.map(a => a.getAttribute('href')));
  return all.find(href => pattern.test(href));
}

// Agents run when an admin asks; without a worker nothing comes of it.
async function runAgent(page) {
  await page.goto('/w/acme/runs');
  await page.getByRole('button', { name: 'Run Sprint risk now' }).first().click();
  assert.match(await page.getByRole('status').innerText(), /queued/);
  for (let tries = 0; tries < 100; tries++) {
    await page.goto('/w/acme/runs?agentKey=sprint_risk&status=succeeded,partial');
    if (await page.getByRole('link', { name: /^R-\d+$/ }).count()) return;
    await new Promise(done => setTimeout(done, 200));
  }
}

before(async () => {
  if (skip) return;
  browser = await chromium.launch({
    executablePath: process.env.GNOMON_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  const page = await open();
  await page.goto('/login');
  await signIn(page, mira, password);
  session = await page.context().storageState();
  await page.context().close();

  const walker = await open();
  project = await link(walker, '/w/acme', /\/p\/AC$/);
  found.insight = await link(walker, '/w/acme/insights', /\/I-\d+$/);
  if (!found.insight) {
    await runAgent(walker);
    found.insight = await link(walker, '/w/acme/insights', /\/I-\d+$/);
  }
  found.run = await link(walker, '/w/acme/runs', /\/R-\d+$/);
  found.objective = await link(walker, '/w/acme/objectives?order=ends', /\/O-\d+$/);
  found.story = await link(walker, `${project}/stories`, /\/AC-\d+$/);
  found.member = await link(walker, '/w/acme/admin/members', /\/admin\/members\/[0-9a-f-]{36}$/);
  found.team = await link(walker, '/w/acme/admin/teams', /\/admin\/teams\/[0-9a-f-]{36}$/);
  found.sprint = await walker.goto(`${project}/sprints?status=active`).then(() => walker.locator('tbody a').first().getAttribute('href'));
  found.ended = await walker.goto(`${project}/sprints?status=completed`).then(() => walker.locator('tbody a').first().getAttribute('href'));
  found.epic = await link(walker, `${project}/epics`, /\/E-\d+$/);
  await walker.context().close();
});

after(() => browser?.close());

const pages = () => [
  '/w/acme', '/w/acme/insights', '/w/acme/insights?state=open&severity=critical,high', '/w/acme/insights?q=nothing+has+this',
  found.insight, '/w/acme/runs', found.run, '/w/acme/usage', project, `${project}/board`, `${project}/stories`, `${project}/backlog`, `${project}/backlog?order=epic`, `${project}/epics`, found.epic, `${project}/labels`, `${project}/stories/new`, found.story && `${found.story}/delete`,
  `${project}/stories?status=done`, `${project}/activity?group=transaction`, `${project}/import`, found.story, '/w/acme/nothing-here', '/?all=true', '/workspaces/new', '/invite?token=none', '/w/acme/leave', '/w/acme/projects', '/w/acme/projects?archived=true', '/w/acme/projects/new',
  '/w/acme/admin/members', '/w/acme/admin/members?q=nobody', found.member, '/w/acme/admin/teams', found.team, '/w/acme/admin/workspace', '/w/acme/admin/ai', '/w/acme/admin/ai/features/chat.general', '/w/acme/admin/audit',
  `${project}/settings`, '/login', '/login/second?ticket=x', '/register', '/verify', '/verify?token=x', '/forgot', '/reset?token=x',
  '/account', '/account/sessions', '/account/tokens', '/account/security', '/account/delete',
  `${project}/sprints`, found.sprint, found.ended, `${found.sprint}/complete`, `${project}/velocity`,
  '/w/acme/notifications', '/w/acme/notifications?unread=true', '/w/acme/notifications/preferences', '/w/acme/admin/webhooks',
  '/w/acme/objectives', found.objective, '/w/acme/search', '/w/acme/search?q=payment', '/w/acme/search?q=nothinghasthis',
  '/help/api', '/help/errors', '/help/errors/version_conflict',
].filter(Boolean);

test('the demo has an insight, a run and a story to show', { skip }, () => {
  assert.ok(project && found.insight && found.run && found.story, JSON.stringify({ project, ...found }));
});

// One visit a page: what is asked of it in turn needs no other.
test('every page', { skip }, async t => {
  for (const path of pages()) {
    await t.test(path, async t => {
      const page = await open();
      const response = await page.goto(path);
      const html = await response.text();

      await t.test('has an outline, a skip link and nothing inline', async () => {
        assert.match(response.headers()['content-security-policy'] ?? '', /default-src 'none'; style-src 'self'/);
        assert.equal(await page.locator('h1').count(), 1);
        assert.equal(await page.locator('main').count(), 1);
        assert.equal(await page.locator('main ~ footer, footer').count() > 0, true);
        assert.match(await page.title(), / - Gnomon$/);
        await page.keyboard.press('Tab');
        assert.equal(await page.evaluate(() => document.activeElement.getAttribute('href')), '#main', 'skip link first');
        assert.deepEqual(await page.locator('[style], style, script').count(), 0, 'nothing inline');
        const ids = await page.locator('[id]').evaluateAll(all => all.map(e => e.id));
        assert.deepEqual(ids.filter((id, i) => ids.indexOf(id) !== i), [], 'ids are unique');
      });
      await t.test('keeps its size budget', { skip: path === '/help/api' && 'a reference is as long as it is' }, async () => {
        const rows = await page.locator('tbody tr, .board li, .feed li').count();
        const size = gzipSync(html).length;

        assert.ok(size <= 8192 * Math.max(1, rows / 50), `${size} bytes for ${rows} rows`);
      });
      for (const colorScheme of ['light', 'dark']) {
        await t.test(`is accessible in ${colorScheme} and quiet`, async () => {
          await page.emulateMedia({ colorScheme });
          await page.evaluate(axe);
          const { violations } = await page.evaluate(() => globalThis.axe.run(document));
          assert.deepEqual(violations.map(v => `${v.id}: ${v.nodes[0].html}`), []);
          assert.deepEqual(page.complaints.filter(c => response.ok() || !/status of 404/.test(c)), []);
        });
      }
      await t.test('has nothing smaller to hit than 24 by 24 pixels', async () => {
        await page.setViewportSize({ width: 390, height: 844 });
        const small = await page.locator('button, select, input:not([type=hidden]), summary, .btn, nav a')
          // what chooses is hit by its label; alone in a cell it has that for its spacing (WCAG 2.5.8)
          .evaluateAll(all => all.filter(e => e.checkVisibility()).map(e => [e.outerHTML.slice(0, 80),
            (/^(radio|checkbox)$/.test(e.type) && (e.closest('label') ?? e.closest('td')) || e).getBoundingClientRect()])
            .filter(([, r]) => r.width < 23.9 || r.height < 23.9).map(([html]) => html));
        assert.deepEqual(small, []);
      });
      await t.test('does not scroll sideways at 320 pixels, nor at 200% text', async () => {
        const width = () => page.evaluate(() => document.documentElement.scrollWidth);

        await page.setViewportSize({ width: 320, height: 640 });
        assert.equal(await width(), 320);
        await page.setViewportSize({ width: 640, height: 640 });
        await page.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
        assert.ok(await width() <= 640, `${await width()} pixels wide at 200% text`);
      });
      await page.context().close();
    });
  }
});

test('the style sheet keeps its size budget', { skip }, async () => {
  const css = await (await fetch(`${base}/static/gnomon.css`)).text();

  assert.ok(gzipSync(css).length <= 4096, `${gzipSync(css).length} bytes of CSS`);
});

test('a phone reaches the navigation without script', { skip }, async () => {
  const page = await open({ viewport: { width: 390, height: 844 }, javaScriptEnabled: false });

  await page.goto('/w/acme');
  const insights = page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: /^Insights/ });
  assert.equal(await insights.isVisible(), false);
  await page.getByRole('button', { name: 'Menu' }).click();
  await insights.click();
  assert.equal(new URL(page.url()).pathname, '/w/acme/insights');
  await page.context().close();
});

test('sign-in keeps the address, says what is wrong, and goes nowhere else', { skip }, async () => {
  const page = await open({ storageState: undefined, javaScriptEnabled: false });

  await page.goto('/w/acme/usage');
  assert.equal(new URL(page.url()).pathname, '/login');
  await signIn(page, mira, `${password}!`);
  assert.match(await page.title(), /^Error: /);
  assert.match(await page.getByRole('alert').innerText(), /do not match/);
  assert.equal(await page.getByLabel('E-mail address').inputValue(), mira);
  assert.equal(await page.getByLabel('Password').inputValue(), '');
  await signIn(page, mira, password);
  assert.equal(new URL(page.url()).pathname, '/w/acme/usage');

  await page.getByRole('button', { name: 'Sign out' }).click();
  assert.equal(new URL(page.url()).pathname, '/login');
  await page.goto('/w/acme/usage');
  assert.equal(new URL(page.url()).pathname, '/login');
  for (const next of ['//example.org/', 'https://example.org/', '/\\example.org']) {
    await page.goto(`/login?next=${encodeURIComponent(next)}`);
    await signIn(page, mira, password);
    assert.equal(new URL(page.url()).origin, new URL(base).origin, next);
    await page.context().clearCookies();
  }
  await page.context().close();
});

test('an insight is acknowledged, owned and closed by plain forms, and its history tells it', { skip }, async () => {
  const page = await open({ javaScriptEnabled: false });
  const state = () => page.locator('main header .chip').nth(1).innerText();

  await page.goto(found.insight);
  const again = page.getByRole('button', { name: 'Open insight again' });
  if (await again.count()) await again.click();
  if (/acknowledged/i.test(await state())) {
    await page.getByRole('button', { name: 'Resolve insight' }).click();
    await again.click();
  }
  await page.getByRole('button', { name: 'Acknowledge insight' }).click();
  assert.equal(new URL(page.url()).pathname, found.insight);
  assert.match(await page.getByRole('status').innerText(), /up to date/);
  assert.match(await state(), /acknowledged/i);
  assert.match(await page.locator('.hist').last().innerText(), /Mira Okafor acknowledged it/);

  await page.getByLabel('Owner').selectOption({ label: 'No owner' });
  await page.getByRole('button', { name: 'Assign owner' }).click();
  assert.match(await page.locator('.lead').innerText(), /no owner/);
  await page.getByLabel('Owner').selectOption({ label: 'Mira Okafor' });
  await page.getByRole('button', { name: 'Assign owner' }).click();
  assert.match(await page.locator('.lead').innerText(), /Mira Okafor owns it/);

  await page.getByRole('button', { name: 'Dismiss insight' }).click();
  assert.match(await state(), /dismissed/i);
  await again.click();
  assert.match(await state(), /open/i);
  await page.goto(found.insight);
  assert.equal(await page.getByRole('status').count(), 0, 'a message is shown once');
  await page.context().close();
});

test('each number in an insight leads to the fact that supports it', { skip }, async () => {
  const page = await open({ javaScriptEnabled: false });

  await page.goto(found.insight);
  const marks = page.locator('.prose a[href^="#F-"]');
  assert.ok(await marks.count() > 0);
  for (const href of await marks.evaluateAll(all => all.map(a => a.getAttribute('href'))))
    assert.equal(await page.locator(`tr[id="${href.slice(1)}"]`).count(), 1, href);
  for (const href of await page.locator('main table a').evaluateAll(all => all.map(a => a.getAttribute('href'))))
    assert.equal((await page.request.get(href)).status(), 200, href);
  await page.context().close();
});

test('001-154, concurrent edit: a stale form shows both versions and can be applied again', { skip }, async () => {
  const [mine, theirs] = [await open({ javaScriptEnabled: false }), await open({ javaScriptEnabled: false })];

  await mine.goto(found.story);
  await theirs.goto(found.story);
  const move = async (page, name) => {
    await page.getByLabel('Move to').selectOption({ label: name });
    await page.getByRole('button', { name: 'Move story' }).click();
  };
  const options = await mine.getByLabel('Move to').locator('option').allInnerTexts();
  await move(theirs, options[0].trim());
  await move(mine, options[1].trim());
  assert.match(await mine.getByRole('heading', { level: 1 }).innerText(), /Someone changed this/);
  assert.equal(await mine.getByRole('cell').count() > 3, true);
  await mine.getByRole('button', { name: 'Apply mine again' }).click();
  assert.equal(new URL(mine.url()).pathname, found.story);
  assert.match(await mine.locator('.lead').innerText(), new RegExp(`^${options[1].trim()} since`));
  await mine.context().close();
  await theirs.context().close();
});

test('a story moves on the board by its form', { skip }, async () => {
  const page = await open({ javaScriptEnabled: false });

  await page.goto(`${project}/board`);
  const column = name => page.locator('.board section', { has: page.getByRole('heading', { name, exact: true }) });
  const card = column('In progress').locator('li').first();
  const key = await card.getAttribute('id');
  await card.getByRole('combobox', { name: `Move ${key} to` }).selectOption({ label: 'Review' });
  await card.getByRole('button', { name: `Move ${key}` }).click();
  assert.match(await page.getByRole('status').innerText(), /moved/);
  assert.equal(await column('Review').locator(`li[id="${key}"]`).count(), 1);
  assert.equal(await column('In progress').locator(`li[id="${key}"]`).count(), 0);
  await page.getByRole('link', { name: key, exact: true }).click();
  assert.match(await page.locator('section[aria-labelledby=history] .hist').innerText(), /Mira Okafor moved it from in progress to review/);
  await page.getByLabel('Move to').selectOption({ label: 'In progress' });
  await page.getByRole('button', { name: 'Move story' }).click();
  await page.context().close();
});

test('filters stand in the address, can be taken off, and empty ones are harmless', { skip }, async () => {
  const page = await open({ javaScriptEnabled: false });

  await page.goto('/w/acme/insights');
  await page.getByText('Severity', { exact: true }).first().click();
  await page.getByLabel('High').check();
  await page.getByRole('button', { name: 'Apply filters' }).click();
  assert.equal(new URL(page.url()).searchParams.get('severity'), 'high');
  for (const chip of await page.locator('tbody tr td:first-child .chip').allInnerTexts())
    assert.match(chip, /high/i);
  await page.getByRole('link', { name: /Severity: High/ }).click();
  assert.equal(new URL(page.url()).searchParams.get('severity'), null);
  const keys = async () => page.locator('tbody th a').evaluateAll(all => all.map(a => a.getAttribute('href')));
  const newest = await keys();
  await page.getByLabel('Sort by').selectOption({ label: 'Oldest first' });
  await page.getByRole('button', { name: 'Apply filters' }).click();
  if (newest.length < 50) assert.deepEqual((await keys()).slice(0, 3), newest.reverse().slice(0, 3));
  await page.goto('/w/acme/insights?q=nothing+has+this');
  await page.locator('main').getByRole('link', { name: 'Clear filters' }).first().click();
  assert.equal(new URL(page.url()).search, '');
  await page.context().close();
});

test('each list has the same address as JSON and CSV', { skip }, async () => {
  const page = await open();

  for (const path of ['/w/acme/insights', '/w/acme/runs', `${project}/stories`]) {
    await page.goto(path);
    const doors = page.locator('footer a').filter({ hasText: /JSON|CSV/ });
    assert.equal(await doors.count(), 2, path);
    const json = await page.request.get(await doors.nth(0).getAttribute('href'));
    assert.ok(Array.isArray((await json.json()).items), path);
    const csv = await page.request.get(await doors.nth(1).getAttribute('href'));
    assert.match(csv.headers()['content-type'], /^text\/csv/);
  }
  await page.context().close();
});

test('a form without its token changes nothing', { skip }, async () => {
  const page = await open();
  const reply = await page.request.post(found.insight, { form: { action: 'resolve', version: 1 } });

  assert.equal(reply.status(), 403);
  assert.match(await reply.text(), /form has expired/i);
  await page.context().close();
});
