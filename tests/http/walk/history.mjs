// The feed and the history of entities.
export const bodies = {}
export const make = t => ({
	type: { id: 'story', none: 'nothing', shared: true },
	entity: { id: t.stories[0].id },
})
