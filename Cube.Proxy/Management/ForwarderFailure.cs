using Yarp.ReverseProxy.Forwarder;

namespace Cube.Proxy.Management;

internal static class ForwarderFailure
{
    /// <returns>Kestrel's own refusal of the request body, where that is why a request could not be forwarded.</returns>
    public static BadHttpRequestException? BadRequestOf(HttpContext context) => context.Features.Get<IForwarderErrorFeature>()?.Exception switch
    {
        BadHttpRequestException bad => bad,
        // The forwarder adds what happened at the other end in consequence.
        AggregateException several => several.Flatten().InnerExceptions.OfType<BadHttpRequestException>().FirstOrDefault(),
        _ => null,
    };
}
