namespace Cube.Inference.Audio;

/// <summary><c>POST /v1/audio/transcriptions</c> and <c>/v1/audio/translations</c>. <see cref="AudioForm"/> reads and writes the form.</summary>
internal sealed class AudioRequestTranslator : RequestTranslator
{
    public override BackendFeatures RequiredFeatures => BackendFeatures.Audio;
}
