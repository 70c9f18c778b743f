// The feed and the history of entities.
export const bodies = { import_stories_csv: () => undefined }
export const make = t => ({
	type: { id: 'story', none: 'nothing', shared: true },
	entity: { id: t.stories[0].id },
})
