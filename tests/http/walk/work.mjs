// Workspaces, projects, stories, sprints.
import { sprint, unique } from '../lib.mjs'

export const bodies = {
	create_project: () => ({ key: `K${unique().slice(0, 8).toUpperCase()}`, name: `Walk ${unique()}` }),
	create_story: () => ({ title: 'Walked' }),
	update_story: () => ({ version: 1, title: 'Walked' }),
}
export function make(t) {
	const { id, number } = sprint(t)
	return {
		ws: { id: t.id, word: t.slug, none: `no-${unique()}` },
		project: { id: t.project.id, word: t.project.key, none: `N${unique().slice(0, 8).toUpperCase()}` },
		story: { id: t.stories[0].id, word: `${t.project.key}-${t.stories[0].number}` },
		sprint: { id, word: String(number), counted: true },
	}
}
