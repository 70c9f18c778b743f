// What models may do: policy, features, kill switch.
export const bodies = {
	update_ai_policy: () => ({ warnAt: [80] }),
	set_kill_switch: () => ({ stop: false }),
	update_ai_feature: () => ({ isAllowed: false }),
}
export const make = () => ({ feature: { id: 'chat.general', none: 'no.such', shared: true } })
