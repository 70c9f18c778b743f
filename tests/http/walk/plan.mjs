// Stories, epics, tasks, dependencies, labels.
import { lit, randomUUID, sql } from '../lib.mjs'

export const bodies = {
	update_stories: () => ({ ids: [randomUUID()], priority: 'high' }),
	reorder_stories: () => ({ ids: [randomUUID()] }),
	move_story: () => ({ version: 1, status: 'ready' }),
	delete_story: () => undefined,
	create_epic: () => ({ title: 'Walked' }),
	update_epic: () => ({ version: 1, title: 'Walked' }),
	reorder_epics: () => ({ ids: [randomUUID()] }),
	delete_epic: () => undefined,
	create_task: () => ({ storyId: randomUUID(), title: 'Walked' }),
	update_task: () => ({ version: 1, title: 'Walked' }),
	move_task: () => ({ version: 1, status: 'done' }),
	delete_task: () => undefined,
	create_dependency: () => ({ sourceId: randomUUID(), targetId: randomUUID(), dependencyType: 'blocks' }),
	delete_dependency: () => undefined,
	create_label: () => ({ name: 'Walked' }),
	create_workspace_label: () => ({ name: 'Walked' }),
	update_label: () => ({ version: 1, name: 'Walked' }),
	delete_label: () => undefined,
	create_saved_filter: () => ({ list: 'stories', name: 'Walked', query: 'status=done' }),
	update_saved_filter: () => ({ version: 1, name: 'Walked' }),
	delete_saved_filter: () => undefined,
}
export function make(t) {
	const [one, two] = t.stories.map(s => lit(s.id))
	const scope = `${lit(t.id)}, ${lit(t.project.id)}`
	const [epic, number] = sql(`INSERT INTO epics (workspace_id, project_id, title) VALUES (${scope}, 'Epic') RETURNING id, number`).split('|')
	return {
		epic: { id: epic, word: `E-${number}`, counted: true },
		task: { id: sql(`INSERT INTO tasks (workspace_id, project_id, story_id, title) VALUES (${scope}, ${one}, 'Task') RETURNING id`) },
		dependency: { id: sql(`INSERT INTO dependencies (workspace_id, project_id, source_id, target_id, dependency_type)
			VALUES (${scope}, ${one}, ${two}, 'blocks') RETURNING id`) },
		filter: { id: sql(`INSERT INTO saved_filters (workspace_id, project_id, user_id, list, name, query)
			VALUES (${scope}, ${lit(t.owner.id)}, 'stories', 'Mine', 'status=done') RETURNING id`) },
		label: { id: sql(`INSERT INTO labels (workspace_id, project_id, name) VALUES (${scope}, 'Label') RETURNING id`) },
	}
}
