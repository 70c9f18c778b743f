// What people write in a story is shown as Markdown, and nothing in it acts.
import { before, test } from 'node:test'
import { assert, browser, get, ok, patch, tenant } from './lib.mjs'

let t, cookie, story
before(async () => {
	t = await tenant()
	story = t.stories[0]
	cookie = await browser(t.owner)
})

/** The HTML of the story's description once it has this text. */
async function shown(description) {
	const at = `/api/v1/projects/${t.project.id}/stories/${story.id}`
	const { version } = await ok(get(at, t.owner))
	const now = await ok(patch(at, { token: t.owner.token, json: { version, description } }))
	assert.equal(now.description, description)
	assert.deepEqual(Object.keys(now).filter(key => /Html|Markdown/.test(key)), [])
	const { status, text } = await get(`/w/${t.slug}/p/${t.project.key}/stories/${t.project.key}-${story.number}`, { cookie })
	assert.equal(status, 200)
	return /<h2 id="text">[\s\S]*?<div class="in">([\s\S]*?)<\/div>\s*<div class="in"><h3>/.exec(text)[1]
}

test('a description is shown as Markdown, below the headings of its page', async () => {
	const html = await shown('# Why\nPay by **card**,\nnow.\n\n- one\n\n```c\nx < y\n```')
	for (const part of ['<h3>Why</h3>', '<strong>card</strong>,<br />', '<li>one</li>', '<code class="language-c">x &lt; y'])
		assert.ok(html.includes(part), html)
})

test('nothing in it acts', async () => {
	const html = await shown('<script>alert(1)</script>\n\n<img src=x onerror=y> [a](javascript:b) ![c](https://d.example/e.png)\n\n[f](//g.example)')
	assert.ok(!/<(script|img|a)\b/.test(html), html)
	assert.ok(html.includes('&lt;script&gt;alert(1)'), html)
})

test('a story without a description says so', async () => {
	assert.match(await shown(''), /This story has no description\./)
})
