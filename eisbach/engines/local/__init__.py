"""The local engine: one machine, a resident agent, one supervisor per attempt, plain processes.

Nothing is imported here so that the agent stays small; take `LocalEngine` from `eisbach.engines.local.engine`.
"""
