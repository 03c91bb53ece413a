variable "step" {}

data "aws_caller_identity" "me" {}
data "aws_iam_policy" "edge" { name = "PowerUserAccess" }
data "aws_iam_policy_document" "invoke" {
  statement {
    sid       = "Invoke"
    actions   = ["vpc-lattice-svcs:Invoke"]
    resources = ["arn:aws:vpc-lattice:*:${data.aws_caller_identity.me.account_id}:service/*/${var.step}"]
    condition {
      test     = "StringEquals"
      variable = "vpc-lattice-svcs:RequestMethod"
      values   = ["GET", "HEAD"]
    }
  }
}
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = [aws_iam_user.u["tf-alice"].arn]
    }
  }
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.p.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "issuer.example/tf:aud"
      values   = ["builders"]
    }
  }
}

# -- users and groups

resource "aws_iam_user" "u" {
  for_each             = toset(["tf-alice", "tf-bob"])
  name                 = each.key
  path                 = "/tf/"
  permissions_boundary = each.key == "tf-bob" ? data.aws_iam_policy.edge.arn : null
  tags                 = { Name = each.key }
}
resource "aws_iam_access_key" "k" { user = aws_iam_user.u["tf-alice"].name }
resource "aws_iam_user_policy" "own" {
  name   = "own"
  user   = aws_iam_user.u["tf-alice"].name
  policy = data.aws_iam_policy_document.invoke.json
}
resource "aws_iam_user_policy_attachment" "a" {
  user       = aws_iam_user.u["tf-bob"].name
  policy_arn = aws_iam_policy.invoke.arn
}
resource "aws_iam_group" "g" {
  for_each = toset(["tf-net", "tf-app"])
  name     = each.key
  path     = "/tf/"
}
resource "aws_iam_group_membership" "net" {
  name  = "net"
  group = aws_iam_group.g["tf-net"].name
  users = [for user in aws_iam_user.u : user.name]
}
resource "aws_iam_user_group_membership" "app" {
  user   = aws_iam_user.u["tf-bob"].name
  groups = [aws_iam_group.g["tf-app"].name]
}
resource "aws_iam_group_policy" "look" {
  name  = "look"
  group = aws_iam_group.g["tf-net"].name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "iam:GetUser", Resource = "arn:aws:iam::*:user/tf/$${aws:username}" }]
  })
}
resource "aws_iam_group_policy_attachment" "read" {
  group      = aws_iam_group.g["tf-app"].name
  policy_arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
}

# -- policies, roles, profiles

resource "aws_iam_policy" "invoke" {
  name        = "tf-invoke"
  path        = "/tf/"
  description = "may call"
  policy      = data.aws_iam_policy_document.invoke.json
}
resource "aws_iam_role" "r" {
  name                 = "tf-role"
  path                 = "/tf/"
  description          = "for ${var.step}"
  max_session_duration = 7200
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = data.aws_iam_policy.edge.arn
}
resource "aws_iam_role_policy" "inline" {
  name   = "inline"
  role   = aws_iam_role.r.id
  policy = data.aws_iam_policy_document.invoke.json
}
resource "aws_iam_role_policy_attachment" "invoke" {
  role       = aws_iam_role.r.name
  policy_arn = aws_iam_policy.invoke.arn
}
resource "aws_iam_instance_profile" "p" {
  name = "tf-profile"
  role = aws_iam_role.r.name
}
resource "aws_iam_openid_connect_provider" "p" {
  url             = "https://issuer.example/tf"
  client_id_list  = ["builders"]
  thumbprint_list = ["cf23df2207d99a74fbe169e3eba035e633b65d94"]
}
resource "aws_iam_service_linked_role" "sharing" { aws_service_name = "ram.amazonaws.com" }
resource "aws_iam_account_alias" "a" { account_alias = "tf-conformance" }

data "aws_iam_principal_policy_simulation" "invoke" {
  policy_source_arn = aws_iam_user.u["tf-bob"].arn
  action_names      = ["vpc-lattice-svcs:Invoke"]
  resource_arns     = ["arn:aws:vpc-lattice:us-west-2:${data.aws_caller_identity.me.account_id}:service/svc-1/${var.step}"]
  context {
    key    = "vpc-lattice-svcs:RequestMethod"
    type   = "string"
    values = ["GET"]
  }
  depends_on = [aws_iam_user_policy_attachment.a, aws_iam_policy.invoke]
}
data "aws_iam_group" "net" {
  group_name = aws_iam_group.g["tf-net"].name
  depends_on = [aws_iam_group_membership.net]
}

output "allowed" { value = data.aws_iam_principal_policy_simulation.invoke.all_allowed }
output "members" { value = sort(data.aws_iam_group.net.users[*].user_name) }
output "key" { value = aws_iam_access_key.k.id }
output "secret" {
  value     = aws_iam_access_key.k.secret
  sensitive = true
}
output "role" { value = aws_iam_role.r.arn }
