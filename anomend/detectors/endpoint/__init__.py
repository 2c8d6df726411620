"""Detector `endpoint:URL#FORM`: a model behind an HTTP server, on this machine or, if you allow it, on another one.

`address` reads the name, `forms` lists the kinds of servers (`form`; one file each: what is sent, what is answered),
`client` sends and bounds what comes back, and `detector` asks about each picture once.
"""
