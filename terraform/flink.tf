# A private GKE Autopilot cluster and the manifest of a Flink session for it. Pods act as the service accounts through
# workload identity, so no key is made, mounted or stored.

locals {
  # Identities that may run in the cluster, each as the Kubernetes service account of the same name.
  workloads = local.with_flink ? toset(["producer", "flink", "writer", "dbt"]) : toset([])

  flink_manifest = local.with_flink ? templatefile("${path.module}/templates/flink.yaml.tftpl", {
    namespace               = var.flink.namespace
    image                   = var.flink.image
    version                 = var.flink.version
    task_managers           = var.flink.task_managers
    slots                   = var.flink.slots
    checkpoint_seconds      = var.flink.checkpoint_seconds
    task_manager_cpus       = var.flink.task_manager_cpus
    task_manager_memory_mib = floor(var.flink.task_manager_memory_gib * 1024)
    bucket                  = google_storage_bucket.checkpoints[0].name
    prefix                  = var.prefix
    service_accounts        = { for identity in local.workloads : identity => google_service_account.this[identity].email }
  }) : null
}

resource "google_artifact_registry_repository" "images" {
  count = local.with_flink ? 1 : 0

  project       = var.project
  location      = var.region
  repository_id = var.prefix
  format        = "DOCKER"
  description   = "Images of Flink and civicwire."
  labels        = local.labels
  kms_key_name  = var.kms_keys.regional

  docker_config {
    immutable_tags = true
  }

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.regional]
}

resource "google_service_account" "nodes" {
  count = local.with_flink ? 1 : 0

  project      = var.project
  account_id   = "${var.prefix}-flink-nodes"
  display_name = "civicwire nodes"
  description  = "The machines of the GKE cluster: write logs and metrics, pull images"

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "nodes" {
  count = local.with_flink ? 1 : 0

  project = var.project
  role    = "roles/container.defaultNodeServiceAccount"
  member  = google_service_account.nodes[0].member
}

resource "google_artifact_registry_repository_iam_member" "nodes" {
  count = local.with_flink ? 1 : 0

  project    = var.project
  location   = var.region
  repository = google_artifact_registry_repository.images[0].repository_id
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.nodes[0].member
}

resource "google_container_cluster" "this" {
  count = local.with_flink ? 1 : 0

  project             = var.project
  name                = var.prefix
  location            = var.region
  enable_autopilot    = true
  network             = google_compute_network.this[0].id
  subnetwork          = google_compute_subnetwork.this[0].id
  resource_labels     = local.labels
  deletion_protection = var.deletion_protection

  release_channel {
    channel = "REGULAR"
  }

  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }

  private_cluster_config {
    enable_private_nodes = true
  }

  # kubectl comes in by a name that IAM guards; the control plane has no address to knock at.
  control_plane_endpoints_config {
    dns_endpoint_config {
      allow_external_traffic = true
    }
    ip_endpoints_config {
      enabled = false
    }
  }

  workload_identity_config {
    workload_pool = "${var.project}.svc.id.goog"
  }

  cluster_autoscaling {
    auto_provisioning_defaults {
      service_account = google_service_account.nodes[0].email
      oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    }
  }

  security_posture_config {
    mode = "BASIC"
  }

  depends_on = [google_compute_router_nat.this, google_project_iam_member.nodes]
}

resource "google_service_account_iam_member" "workload_identity" {
  for_each = local.workloads

  service_account_id = google_service_account.this[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${google_container_cluster.this[0].workload_identity_config[0].workload_pool}[${var.flink.namespace}/${each.key}]"
}
