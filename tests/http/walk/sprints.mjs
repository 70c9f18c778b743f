// Sprints: plans that can be changed, started, completed, dropped.
let story
export const bodies = {
	create_sprint: () => ({ name: 'Walked' }),
	update_sprint: () => ({ version: 1, goal: 'Walked' }),
	delete_sprint: () => undefined,
	start_sprint: () => ({ version: 1 }),
	complete_sprint: () => ({ version: 1, unfinished: 'backlog' }),
	add_sprint_items: () => ({ storyIds: [story] }),
	remove_sprint_item: () => undefined,
	update_sprint_settings: () => ({ version: 1, autoComplete: 'new' }),
}
export function make(t) {
	story = t.stories[0].id
	return {}
}
