variable "action" { default = "ec2:CreateVpc" }
variable "home" { default = "production" }

resource "aws_organizations_organization" "all" {
  feature_set                   = "ALL"
  enabled_policy_types          = ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"]
  aws_service_access_principals = ["ram.amazonaws.com"]
}

resource "aws_organizations_organizational_unit" "unit" {
  for_each  = toset(["production", "sandbox"])
  name      = each.key
  parent_id = aws_organizations_organization.all.roots[0].id
}

resource "aws_organizations_organizational_unit" "web" {
  name      = "web"
  parent_id = aws_organizations_organizational_unit.unit["production"].id
}

resource "aws_organizations_account" "member" {
  name      = "member"
  email     = "member@example.com"
  parent_id = aws_organizations_organizational_unit.unit[var.home].id
  role_name = "Administrator"
}

data "aws_iam_policy_document" "control" {
  statement {
    effect    = "Deny"
    actions   = [var.action]
    resources = ["*"]
  }
}

resource "aws_organizations_policy" "control" {
  name        = "control"
  description = "what nobody may"
  content     = data.aws_iam_policy_document.control.json
  depends_on  = [aws_organizations_organization.all]
}

resource "aws_organizations_policy_attachment" "control" {
  policy_id = aws_organizations_policy.control.id
  target_id = aws_organizations_organizational_unit.unit["production"].id
}

resource "aws_organizations_policy" "perimeter" {
  name = "perimeter"
  type = "RESOURCE_CONTROL_POLICY"
  content = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Deny", Principal = "*", Action = "sts:AssumeRole", Resource = "*", Condition = { Bool = { "aws:ViaAWSService" = "true" } } }]
  })
  depends_on = [aws_organizations_organization.all]
}

resource "aws_organizations_policy_attachment" "perimeter" {
  policy_id = aws_organizations_policy.perimeter.id
  target_id = aws_organizations_account.member.id
}

data "aws_organizations_organizational_units" "top" {
  parent_id  = aws_organizations_organization.all.roots[0].id
  depends_on = [aws_organizations_organizational_unit.unit]
}

output "member" { value = aws_organizations_account.member.id }
output "units" { value = sort(data.aws_organizations_organizational_units.top.children[*].name) }
