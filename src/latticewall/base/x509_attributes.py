"""What VPC Lattice tells of a caller whose credentials rest on a certificate (IAM Roles Anywhere): to targets and in the access log.

Pages: "HTTP targets in VPC Lattice" (caller identity headers), "Access logs for VPC Lattice".
"""

X509_ATTRIBUTES = (
    ("x509Issuer/OU", "X509Issuer/OU", "callerX509IssuerOU"),
    ("x509SAN/DNS", "X509SAN/DNS", "callerX509SANDNS"),
    ("x509SAN/Name/CN", "X509SAN/NameCN", "callerX509SANNameCN"),
    ("x509SAN/URI", "X509SAN/URI", "callerX509SANURI"),
    ("x509Subject/CN", "X509Subject/CN", "callerX509SubjectCN"),
)
"""The session tag, its name in the header `x-amzn-lattice-identity`, the member of the access log."""
