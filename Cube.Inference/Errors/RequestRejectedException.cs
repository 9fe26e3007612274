
namespace Cube.Inference.Errors;

/// <summary>A request that breaks a rule of the contract, with the very error that its client hears.</summary>
public sealed class RequestRejectedException(OpenAiError error) : Exception(error.Code)
{
    public OpenAiError Error => error;
}
