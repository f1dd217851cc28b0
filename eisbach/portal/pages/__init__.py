"""The pages of the portal, a module for each area; docs/portal.md says how to add one."""
