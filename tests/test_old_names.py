"""The names that the library had before its packages and its course parted: all of them go on working."""

import importlib
import operator
import re
import warnings

import pytest

import vizlib as vz
import vizlib.training

SENTENCE = re.compile(r"vizlib\.(\S+) is called vizlib\.(\S+) now\.")
# Room by room, as they were; never to be changed. (The package `networks` is left out: even then a function
# of that name hid it.)
NAMES = {
    "": """
        attribution checks deception display environment errors images layers representation synthesis
        table EquivariantMap H_FLIP Network Panel Table V_FLIP VizlibError Warp anatomy autoencoder
        background backgrounds cam center choose_label choose_layer choose_photo class_picture
        collages completeness_error cutout cutouts decode decoder deconvnet deletion detectors
        digits draw_anatomy dream dsift embed empirical_receptive_field energy_inside evolve
        feature_error fgsm figure fit_equivariance fit_stitch frame grad_cam gradient
        gradient_times_input guided_backprop guided_grad_cam hog insertion integrated_gradients
        invert layer_cam lbfgs_attack load logits_through lrp map_error match_units minimal_image
        mosaic neighbour_agreement neighbours networks occluded occlusion open_image overlay panel
        paste pgd photo photos picture pixel_error pointing_game project randomize rank_correlation
        receptive_field record relevance_table resize rotation saliency save_film scaling scene
        scenes score_cam show smoothgrad ssim strongest style_poster style_transfer texture
        thumbnails to_pil train_equivariance train_stitch unit visualize whole_photos zoom_film
    """,
    "attribution": """
        backward baseline_pictures cam channel_masks completeness_error deconvnet deletion
        energy_inside grad_cam gradient gradient_times_input guided_backprop guided_grad_cam
        insertion integrated_gradients layer_cam lrp occluded occlusion pointing_game project
        randomize rank_correlation relevance_table saliency score_cam slopes smoothgrad ssim
    """,
    "checks": """
        active_share adjoint_error as_a_file back_into_ball best_guess blind_map change_its_mind
        class_model_slope class_sensitivity correlations cover_until_it_changes darkening_map
        disagreement_without_zeros drawing dream_step energy_in_mask epsilon_rule expected_gradients
        fall_of_box fourth_rule frame_round from_slopes from_waves gamma_rule gram_matrix
        greedy_pairs grey guided_slope hires_cam hits_within keep_colours langevin_step least_sure
        linear_guess mirror_matrix mutated nearest_with_code new_champions normalised_error
        on_the_sphere one_block_down one_octave orientation_bins overlap paired_difference
        pieces_that_stay project_with_switches_of receptive_field_of_chain select smoothgrad_squared
        strong_cells style_distance through_block top_places total_variation towards turned_weights
        unshuffle weighted_sum without_gram
    """,
    "deception": """
        Archive Ball CPPN Direct distortion eight_bits evolve fgsm lbfgs_attack pgd
        polynomial_mutation
    """,
    "display": """
        Panel Picture center choose_label choose_layer choose_photo draw_anatomy figure mosaic
        overlay panel picture show thumbnails
    """,
    "images": """
        H_FLIP V_FLIP Warp background backgrounds check_images collages cutout cutouts digits
        open_image paste photo photos portraits resize rotation save_film scaling scene
        scene_objects scenes to_pil whole_photos
    """,
    "layers": """
        RULES ReceptiveField average_pooling prepare receptive_field record relu_rule resume scores
        tap unit
    """,
    "representation": """
        Autoencoder Decoder Detectors EmpiricalField EquivariantMap Matching Minimal Stitch
        Strongest autoencoder decode decoder detectors embed empirical_receptive_field
        fit_equivariance fit_stitch forward_selection franken least_squares logits_through map_error
        match_units minimal_image moments neighbour_agreement neighbours smooth_fill strongest
        train_equivariance train_stitch unit_correlations
    """,
    "synthesis": """
        Fourier Frame Model Objective Pixels Result ascend best_match channel class_picture
        code_error direction diversity dream dsift energy feature_error frame gram hog invert jitter
        langevin luminance match_colours moment_error noise objective octave_sizes paper_smoothness
        pixel_error same_code same_style style_layers_of style_poster style_transfer texture
        visualize with_luminance_of zoom_film zoomed
    """,
    "training": """
        DecoderRecipe ObjectRecipe Pictures RECIPES Recipe Run SceneRecipe fit one_cycle
        read_tiny_imagenet train_classifier train_decoders train_objectnet train_scenenet
    """,
}


@pytest.mark.parametrize("room", NAMES)
def test_every_name_is_there_or_leads_with_a_warning_to_what_it_is_called_now(room):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package itself may have moved
        home = operator.attrgetter(room)(vz) if room else vz
    for name in NAMES[room].split():
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            found = getattr(home, name)
        assert found is not None
        for warning in seen:
            assert warning.category is DeprecationWarning and warning.filename == __file__
            old, new = re.fullmatch(
                r"vizlib\.(\S+) is called vizlib\.(\S+) now\.", str(warning.message)
            ).groups()
            assert old.endswith(name) and found is operator.attrgetter(new)(vz)


def test_a_name_that_never_was_is_an_error_in_every_room():
    for room in ("display", "representation", "course.checks", "training"):
        home = importlib.import_module(f"vizlib.{room}")
        with pytest.raises(AttributeError, match=f"module 'vizlib.{room}' has no attribute 'strongset'"):
            home.strongset  # noqa: B018


def test_old_classes_are_the_new_ones():
    with pytest.warns(DeprecationWarning, match="Strongest is called vizlib.representation.TopPatches now"):
        from vizlib.representation import Strongest
    with pytest.warns(DeprecationWarning, match="Detectors is called vizlib.representation.Dissection now"):
        from vizlib.representation import Detectors
    assert (Strongest, Detectors) == (vz.TopPatches, vz.Dissection)
