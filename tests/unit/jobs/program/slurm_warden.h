// The process between a test and its Slurm cluster: parent of munged, slurmctld and slurmd and, as a
// subreaper, of every process of theirs and of the cluster's jobs. It ends all of them, and removes the
// cluster's folder, when its standard input ends: however the test ended, nothing is left.
#pragma once

#include <filesystem>

// `jobs_program slurm FOLDER`: starts a cluster of one node with its files in FOLDER (slurm.conf is one of
// them), says "ready", or "failed: " and why, and then does what it is told, a line each, each answered with
// "done": "stop NAME" and "start NAME" with slurmctld or slurmd, "kill slurmctld".
int run_slurm_warden(const std::filesystem::path& folder);
