"""The checks behind the exercises: each takes a learner's answer and prints one line that says how it went.

A check never prints the solution and never leaves a traceback: an answer that is not there yet, one that
fails and one that is wrong each get a sentence.

One module per lesson.
"""

from ...deprecation import moved
from .lesson_00 import change_its_mind, grey, least_sure
from .lesson_01 import active_share, receptive_field_of_chain, top_places
from .lesson_02 import adjoint_error, one_block_down, project_with_switches_of
from .lesson_03 import cover_until_it_changes, disagreement_without_zeros, fall_of_box
from .lesson_04 import class_sensitivity, darkening_map, fourth_rule
from .lesson_05 import expected_gradients, from_slopes, smoothgrad_squared
from .lesson_06 import energy_in_mask, hires_cam, weighted_sum
from .lesson_07 import epsilon_rule, gamma_rule, through_block
from .lesson_08 import class_model_slope, from_waves, on_the_sphere
from .lesson_09 import nearest_with_code, orientation_bins, total_variation
from .lesson_10 import best_guess, linear_guess, normalized_error
from .lesson_11 import drawing, mutated, new_champions
from .lesson_12 import as_a_file, back_into_ball, towards
from .lesson_13 import dream_step, guided_slope, one_octave
from .lesson_14 import keep_colours, style_distance, without_gram
from .lesson_15 import frame_round, gram_matrix, langevin_step
from .lesson_16 import mirror_matrix, select, turned_weights
from .lesson_17 import correlations, greedy_pairs, unshuffle
from .lesson_18 import overlap, pieces_that_stay, strong_cells
from .lesson_19 import blind_map, hits_within, paired_difference

__getattr__ = moved(__name__, {"normalised_error": "vizlib.course.checks.normalized_error"})
