using Yarp.ReverseProxy.Forwarder;

namespace Cube.Proxy.Management;

internal static class ForwarderFailure
{
    /// <returns>Kestrel's rejection of the request body, if it is the reason why the request could not be forwarded; else null.</returns>
    public static BadHttpRequestException? BadRequestOf(HttpContext context) => context.Features.Get<IForwarderErrorFeature>()?.Exception switch
    {
        BadHttpRequestException bad => bad,
        // YARP adds the error of the destination that the aborted request body caused.
        AggregateException aggregate => aggregate.Flatten().InnerExceptions.OfType<BadHttpRequestException>().FirstOrDefault(),
        _ => null,
    };
}
