using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.OpenAi.Requests;

/// <summary>A request that breaks a rule of the contract, with the very error that its client hears.</summary>
internal sealed class RefusedException(OpenAiError error) : Exception(error.Code)
{
    public OpenAiError Error => error;
}
