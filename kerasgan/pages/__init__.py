"""The pages of the demo, built of Gradio's components.

`studio`, `following`, `turns` and `painted` do the work and know nothing of a browser; `faces`,
`picture` and `training` are a page each; `guard` bounds what visitors can send.
"""
