variable "step" {}

data "aws_availability_zones" "z" {}
data "aws_ami" "host" {
  most_recent = true
  owners      = ["amazon"]
}

resource "aws_vpc" "v" {
  cidr_block                       = "172.30.0.0/16"
  assign_generated_ipv6_cidr_block = true
}
resource "aws_subnet" "s" {
  count             = 2
  vpc_id            = aws_vpc.v.id
  cidr_block        = "172.30.${count.index + 1}.0/24"
  ipv6_cidr_block   = cidrsubnet(aws_vpc.v.ipv6_cidr_block, 8, count.index)
  availability_zone = data.aws_availability_zones.z.names[count.index]
}

resource "aws_security_group" "balancer" {
  name   = "balancer"
  vpc_id = aws_vpc.v.id
  ingress {
    protocol    = "tcp"
    from_port   = 80
    to_port     = 80
    cidr_blocks = ["172.30.0.0/16"]
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_instance" "server" {
  ami                         = data.aws_ami.host.id
  instance_type               = data.aws_ami.host.architecture == "arm64" ? "t4g.micro" : "t3.micro"
  subnet_id                   = aws_subnet.s[0].id
  vpc_security_group_ids      = [aws_security_group.server.id]
  user_data                   = file("${path.root}/server.py")
  user_data_replace_on_change = true
}

resource "aws_security_group" "server" {
  name   = "server"
  vpc_id = aws_vpc.v.id
  ingress {
    protocol        = "tcp"
    from_port       = 7001
    to_port         = 7001
    security_groups = [aws_security_group.balancer.id]
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_lb" "web" {
  name               = "tf-web"
  internal           = true
  load_balancer_type = "application"
  subnets            = aws_subnet.s[*].id
  security_groups    = [aws_security_group.balancer.id]
  idle_timeout       = 45
  ip_address_type    = "dualstack"
  access_logs {
    enabled = true
    bucket  = aws_s3_bucket.logs.id
    prefix  = "edge"
  }
  depends_on = [aws_s3_bucket_policy.logs]
}

resource "aws_s3_bucket" "logs" {
  bucket        = "tf-balancer-logs"
  force_destroy = true
}

data "aws_iam_policy_document" "logs" {
  statement {
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.logs.arn}/*"]
    principals {
      type        = "Service"
      identifiers = ["logdelivery.elasticloadbalancing.amazonaws.com"]
    }
  }
}

resource "aws_s3_bucket_policy" "logs" {
  bucket = aws_s3_bucket.logs.id
  policy = data.aws_iam_policy_document.logs.json
}

resource "aws_lb_target_group" "web" {
  name                 = "web"
  port                 = 7001
  protocol             = "HTTP"
  vpc_id               = aws_vpc.v.id
  deregistration_delay = 5
  stickiness {
    type            = "lb_cookie"
    cookie_duration = 600
  }
  health_check {
    path     = "/health"
    interval = 5
    timeout  = 2
    matcher  = "200-299"
  }
}

resource "aws_lb_target_group" "app" {
  name        = "app"
  port        = 7001
  protocol    = "HTTP"
  vpc_id      = aws_vpc.v.id
  target_type = "ip"
  stickiness {
    type            = "app_cookie"
    cookie_name     = "SESSION"
    cookie_duration = var.step == "first" ? 60 : 90
    enabled         = true
  }
}

resource "aws_lb_listener_rule" "split" {
  listener_arn = aws_lb_listener.web.arn
  priority     = 30
  condition {
    path_pattern { values = ["/split"] }
  }
  action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.web.arn
        weight = 1
      }
      target_group {
        arn    = aws_lb_target_group.app.arn
        weight = 0
      }
      stickiness {
        enabled  = true
        duration = 300
      }
    }
  }
}

resource "aws_lb_target_group_attachment" "server" {
  target_group_arn = aws_lb_target_group.web.arn
  target_id        = aws_instance.server.id
}

resource "aws_lb_listener" "web" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}

resource "aws_acm_certificate" "own" {
  for_each         = toset(["first", "second"])
  certificate_body = file("${path.root}/${each.key}.pem")
  private_key      = file("${path.root}/${each.key}.key")
}

resource "aws_lb_listener" "secured" {
  load_balancer_arn = aws_lb.web.arn
  port              = 443
  protocol          = "HTTPS"
  certificate_arn   = aws_acm_certificate.own["first"].arn
  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_certificate" "further" {
  listener_arn    = aws_lb_listener.secured.arn
  certificate_arn = aws_acm_certificate.own["second"].arn
}

resource "aws_lb_listener_rule" "answer" {
  listener_arn = aws_lb_listener.web.arn
  priority     = 10
  condition {
    path_pattern { values = ["/answer"] }
  }
  condition {
    http_request_method { values = ["GET"] }
  }
  action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = var.step
      status_code  = "200"
    }
  }
}

resource "aws_lb_listener_rule" "away" {
  listener_arn = aws_lb_listener.web.arn
  priority     = 20
  condition {
    query_string {
      key   = "go"
      value = "away*"
    }
  }
  action {
    type = "redirect"
    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_302"
    }
  }
}

resource "aws_vpclattice_target_group" "balancer" {
  name = "balancer"
  type = "ALB"
  config {
    port           = 80
    protocol       = "HTTP"
    vpc_identifier = aws_vpc.v.id
  }
}

resource "aws_vpclattice_target_group_attachment" "balancer" {
  target_group_identifier = aws_vpclattice_target_group.balancer.id
  target {
    id   = aws_lb.web.arn
    port = 80
  }
  depends_on = [aws_lb_listener.web]
}

output "name" { value = aws_lb.web.dns_name }
output "group" { value = aws_lb_target_group.web.arn }
output "secured" { value = aws_lb_listener.secured.arn }
output "certificates" { value = { for step, made in aws_acm_certificate.own : step => made.arn } }
output "server" { value = aws_instance.server.id }
