"""What AWS's resources mean, one package per service: kinds.py (declarations), semantics (operations), text.py (messages).

A service may import resources, policy, apimodel and base, never another service: they meet through references ("ec2:Vpc") and `ctx.call`.
"""
