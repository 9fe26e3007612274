namespace Cube.Inference.Errors;

/// <summary>The request is rejected. <see cref="Error"/> is the client's response.</summary>
public sealed class RequestRejectedException(OpenAiError error) : Exception(error.Code)
{
    public OpenAiError Error => error;
}
