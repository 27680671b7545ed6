"""The pages of the demo, built of Gradio's components.

`places`, `studio`, `following`, `turns` and `painted` do the work and know nothing of a browser.
`faces`, `picture` and `training` are a page each, and `app` is all of them, served; `guard` bounds
what visitors can send.
"""
