# Every module is built in one go: what the provider waits for (half a minute for a load balancer or a change of Route 53) is waited for once.
# From "first" to "second", something changes in each.
variable "step" { default = "first" }
variable "zone" {}
variable "database" { default = "" } # the ARN of a DB instance that was made without Terraform: the provider waits for more than a minute after each change of one

module "architecture" {
  source = "./architecture"
  step   = var.step
}
module "delivery" {
  source = "./delivery"
  step   = var.step
}
module "functions" {
  source = "./functions"
  step   = var.step
}
module "https" {
  source = "./https"
  step   = var.step
  zone   = var.zone
}
module "iam" {
  source = "./iam"
  step   = var.step
}
module "lattice" {
  source = "./lattice"
  step   = var.step
}
module "load_balancers" {
  source = "./load_balancers"
  step   = var.step
}
module "network" {
  source = "./network"
  step   = var.step
}
module "resources" {
  source   = "./resources"
  step     = var.step
  database = var.database
}

output "architecture" { value = module.architecture }
output "delivery" { value = module.delivery }
output "functions" { value = module.functions }
output "https" { value = module.https }
output "iam" {
  value     = module.iam
  sensitive = true
}
output "lattice" { value = module.lattice }
output "load_balancers" { value = module.load_balancers }
output "network" { value = module.network }
output "resources" { value = module.resources }
